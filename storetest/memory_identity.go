package storetest

import (
	"cmp"
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
)

// identities returns those of an account as they are kept, or Conflict when one of them
// is another's, or stands twice. The mutex is held.
func (m *Memory) identities(op string, account *symbolon.Account) ([]symbolon.Identity, error) {
	taken := make(map[[2]string]bool)
	for id, other := range m.accounts {
		for _, i := range other.Identities {
			taken[[2]string{i.Issuer, i.Subject}] = id != account.ID
		}
	}
	list := slices.Clone(account.Identities)
	for n, i := range list {
		key := [2]string{i.Issuer, i.Subject}
		if taken[key] {
			return nil, symbolon.Errorf(symbolon.Conflict, op, "the identity is linked already")
		}
		taken[key] = true
		list[n].AddedAt = ms(i.AddedAt)
	}
	slices.SortFunc(list, func(a, b symbolon.Identity) int {
		return cmp.Or(a.AddedAt.Compare(b.AddedAt), strings.Compare(a.Issuer, b.Issuer), strings.Compare(a.Subject, b.Subject))
	})
	return list, nil
}
