// Package storetest says in code what the comments of symbolon.Store say in
// words. Run holds any store to them, sentence by sentence; Memory is a store
// for fast tests that panics when one of its own invariants breaks; Faulty
// makes any store fail in the ways that real ones do.
package storetest
