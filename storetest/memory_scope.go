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
		list = append(list, symbolon.Scope{Name: name, Description: m.scopes[name]})
	}
	return list, nil
}

// PutScope implements symbolon.Store.
func (m *Memory) PutScope(ctx context.Context, scope symbolon.Scope) error {
	const op = "memory: put scope"
	if err := scope.Check(op); err != nil {
		return err
	}
	done, err := m.write(ctx, op)
	if err != nil {
		return err
	}
	defer done()
	if scope.Description == "" {
		delete(m.scopes, scope.Name)
	} else {
		m.scopes[scope.Name] = scope.Description
	}
	return nil
}
