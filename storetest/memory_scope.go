package storetest

import (
	"context"
	"maps"
	"slices"

	"github.com/symbolon/symbolon"
)

// Scopes implements symbolon.Store.
func (m *Memory) Scopes(ctx context.Context) ([]symbolon.Scope, error) {
	if err := m.read(ctx, "memory: scopes", 1); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var list []symbolon.Scope
	for _, name := range slices.Sorted(maps.Keys(m.scopes)) {
		scope := m.scopes[name]
		scope.Local = maps.Clone(scope.Local)
		list = append(list, scope)
	}
	return list, nil
}

// PutScope implements symbolon.Store.
func (m *Memory) PutScope(ctx context.Context, was, scope symbolon.Scope) error {
	const op = "memory: put scope"
	if err := scope.Check(op); err != nil {
		return err
	}
	done, err := m.write(ctx, op)
	if err != nil {
		return err
	}
	defer done()
	alike := func(a, b symbolon.Scope) bool {
		return a.Description == b.Description && (a.Description == "" || maps.Equal(a.Local, b.Local))
	}
	if old := m.scopes[scope.Name]; !alike(old, was) && !alike(old, scope) {
		return symbolon.Errorf(symbolon.Conflict, op, "the scope has other sentences now")
	}
	if scope.Description == "" {
		delete(m.scopes, scope.Name)
		return nil
	}
	scope.Local = maps.Clone(scope.Local)
	if len(scope.Local) == 0 {
		scope.Local = nil
	}
	m.scopes[scope.Name] = scope
	return nil
}
