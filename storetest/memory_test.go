package storetest_test

import (
	"testing"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(testing.TB) symbolon.Store { return storetest.NewMemory() })
}

func TestMemoryTrail(t *testing.T) {
	storetest.RunTrail(t, func(testing.TB) symbolon.Trail { return storetest.NewMemory() })
}
