// Package admin is what can be done to apps, accounts and connections by those who own
// or run them: the rules, once, for the console, for the admin API and for the command
// line. It knows neither HTTP nor SQL.
//
// Each operation is a method of Service and says who does it: an Actor. An owner sees
// and changes the apps of their own, and what they may not set on them an operator may
// (operatorOnly); an app that is another's is not there, as one that does not exist. An
// operator may do everything. The command line is an operator: who can read the database
// can do anything anyhow.
//
// Errors that a caller can mend are of type *Fault, alone or joined; all others are the
// store's.
package admin
