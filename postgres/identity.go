package postgres

import "github.com/symbolon/symbolon"

// identitiesColumn gives the identities of an account with its row, as
// symbolon.ReadIdentities reads them.
const identitiesColumn = `coalesce((
		SELECT json_agg(json_build_object('issuer', issuer, 'subject', subject, 'name', name, 'added_at', added_at) ORDER BY added_at, issuer, subject)
		FROM (SELECT i.issuer, i.subject, i.name, i.added_at FROM identity AS i WHERE i.account_no = account.no) AS theirs)::text, '')`

// putIdentities makes these the identities of an account.
func (tx *transaction) putIdentities(op string, no int64, list []symbolon.Identity) error {
	if _, err := tx.exec(`DELETE FROM identity WHERE account_no = $1`, no); err != nil {
		return err
	}
	for _, i := range list {
		_, err := tx.exec(`INSERT INTO identity (issuer, subject, account_no, name, added_at) VALUES ($1, $2, $3, $4, $5)`,
			i.Issuer, i.Subject, no, i.Name, millis(i.AddedAt))
		switch {
		case sqlState(err) == uniqueViolation:
			return symbolon.Errorf(symbolon.Conflict, op, "the identity is linked already")
		case err != nil:
			return err
		}
	}
	return nil
}
