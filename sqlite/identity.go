package sqlite

import "github.com/symbolon/symbolon"

// identitiesColumn gives the identities of an account with its row, as
// symbolon.ReadIdentities reads them.
const identitiesColumn = `(
		SELECT json_group_array(json_object('issuer', issuer, 'subject', subject, 'name', name, 'added_at', added_at))
		FROM (SELECT issuer, subject, name, added_at FROM identity WHERE account_no = account.no ORDER BY added_at, issuer, subject))`

// putIdentities makes these the identities of an account.
func (tx *transaction) putIdentities(op string, no int64, list []symbolon.Identity) error {
	if _, err := tx.exec(`DELETE FROM identity WHERE account_no = ?`, no); err != nil {
		return err
	}
	for _, i := range list {
		_, err := tx.exec(`INSERT INTO identity (issuer, subject, account_no, name, added_at) VALUES (?, ?, ?, ?, ?)`,
			i.Issuer, i.Subject, no, i.Name, millis(i.AddedAt))
		switch {
		case err != nil && conflicts(err):
			return symbolon.Errorf(symbolon.Conflict, op, "the identity is linked already")
		case err != nil:
			return err
		}
	}
	return nil
}
