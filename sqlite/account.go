package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"strconv"

	"github.com/symbolon/symbolon"
)

// Accounts implements symbolon.Store.
func (db *DB) Accounts(ctx context.Context, q symbolon.AccountQuery) ([]symbolon.Account, error) {
	const op = "sqlite: accounts"
	if err := atLeastOne(op, q.Limit); err != nil {
		return nil, err
	}
	// Only what is asked for stands in the statement: a condition on a
	// parameter that says nothing would have SQLite plan it anew at each use.
	where, args := `deleted_at IS NULL`, []any{q.Limit}
	only := func(condition string, value any) {
		args = append(args, value)
		where += ` AND ` + condition + ` ?` + strconv.Itoa(len(args))
	}
	if q.ID != "" {
		only(`id =`, q.ID)
	}
	if q.Username != "" {
		only(`username =`, q.Username)
	}
	if q.Issuer != "" {
		args = append(args, q.Issuer, q.Subject)
		where += ` AND no = (SELECT account_no FROM identity WHERE issuer = ?` + strconv.Itoa(len(args)-1) + ` AND subject = ?` + strconv.Itoa(len(args)) + `)`
	}
	if q.After != "" {
		only(`username >`, q.After)
	}
	var accounts []symbolon.Account
	err := db.read(ctx, op, func(f *file) error {
		rows, err := f.query(ctx, `SELECT `+accountColumns+` FROM account WHERE `+where+` ORDER BY username LIMIT ?1`, args...)
		accounts, err = collect(rows, err, func(rows *sql.Rows) (account symbolon.Account, err error) {
			return account, scanAccount(rows, &account)
		})
		return err
	})
	return accounts, err
}

const accountColumns = `account.id, account.username, account.name, account.password, account.sandbox,
	account.created_at, account.disabled_at, account.not_before, account.version, account.profile, account.factors, account.operator, ` + identitiesColumn

// scanAccount reads accountColumns and then the further columns.
func scanAccount(rows *sql.Rows, account *symbolon.Account, further ...any) error {
	var createdAt, notBefore int64
	var disabledAt sql.NullInt64
	var profile, factors, identities string
	into := append([]any{&account.ID, &account.Username, &account.Name, &account.Password, &account.Sandbox,
		&createdAt, &disabledAt, &notBefore, &account.Version, &profile, &factors, &account.Operator, &identities}, further...)
	if err := rows.Scan(into...); err != nil {
		return err
	}
	account.CreatedAt, account.DisabledAt, account.NotBefore = moment(createdAt), moment(disabledAt.Int64), moment(notBefore)
	if json.Unmarshal([]byte(profile), &account.Profile) != nil || account.Factors.UnmarshalText([]byte(factors)) != nil {
		return errDamaged
	}
	var err error
	account.Identities, err = symbolon.ReadIdentities([]byte(identities))
	return err
}

// PutAccount implements symbolon.Store. An account that is marked as a sandbox
// one is Denied in a database with real data.
func (db *DB) PutAccount(ctx context.Context, account symbolon.Account) error {
	const op = "sqlite: put account"
	if account.Sandbox && !db.sandbox {
		return symbolon.Errorf(symbolon.Denied, op, "a sandbox account cannot stand among real data")
	}
	profile, err := encodeProfile(account.Profile)
	if err != nil {
		return symbolon.Wrap(symbolon.Internal, op, err)
	}
	factors, err := account.Factors.AppendText(nil)
	if err != nil {
		return err
	}
	return db.write(ctx, op, func(tx *transaction) error {
		return tx.atomically(func() error { return tx.putAccount(op, account, profile, string(factors)) })
	})
}

// encodeProfile returns a profile as it is kept, with its time in whole
// milliseconds.
func encodeProfile(p symbolon.Profile) (string, error) {
	p.UpdatedAt = moment(millis(p.UpdatedAt))
	text, err := json.Marshal(p)
	return string(text), err
}

func (tx *transaction) putAccount(op string, account symbolon.Account, profile, factors string) error {
	var before int64
	var disabled bool
	err := tx.row(`SELECT not_before, disabled_at IS NOT NULL FROM account WHERE id = ? AND deleted_at IS NULL`,
		[]any{account.ID}, &before, &disabled)
	if err != nil && !missing(err) {
		return err
	}
	query := `
		UPDATE account SET username = ?2, name = ?3, password = ?4, sandbox = ?5, created_at = ?6, disabled_at = ?7,
			not_before = max(not_before, ?8), version = version + 1, profile = ?10, factors = ?11, operator = ?12
		WHERE id = ?1 AND version = ?9 AND deleted_at IS NULL
		RETURNING no, not_before`
	if account.Version == 0 {
		query = `
		INSERT INTO account (id, username, name, password, sandbox, created_at, disabled_at, not_before, version, profile, factors, operator)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 + 1, ?10, ?11, ?12)
		ON CONFLICT (id) DO UPDATE SET username = ?2, name = ?3, password = ?4, sandbox = ?5, created_at = ?6,
			disabled_at = ?7, not_before = max(not_before, ?8), version = 1, deleted_at = NULL, profile = ?10,
			factors = ?11, operator = ?12
		WHERE deleted_at IS NOT NULL
		RETURNING no, not_before`
	}
	var no, after int64
	err = tx.returning(query, []any{account.ID, account.Username, account.Name, account.Password, account.Sandbox,
		millis(account.CreatedAt), optional(account.DisabledAt), millis(account.NotBefore), account.Version, profile, factors, account.Operator}, &no, &after)
	switch {
	case missing(err):
		return symbolon.Errorf(symbolon.Conflict, op, "account %s has another version", account.ID)
	case err != nil && conflicts(err):
		return symbolon.Errorf(symbolon.Conflict, op, "the username is taken")
	case err != nil:
		return err
	}
	if err := tx.putIdentities(op, no, account.Identities); err != nil {
		return err
	}
	if after <= before && (disabled || account.Enabled()) {
		return nil
	}
	if account.Version == 0 {
		before = after // what an account of this id had in an earlier life was told then
	}
	ended := max(after, millis(account.DisabledAt))
	if err := tx.leave(no, before, ended); err != nil {
		return err
	}
	return tx.change(change{
		kind: symbolon.AccountEnded, account: account.ID, before: ended, at: tx.clock(),
	})
}
