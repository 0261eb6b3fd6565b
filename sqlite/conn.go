package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
)

// conn is the connection that writes. It speaks to the driver without the pool
// of database/sql between, which would cost a refresh a sixth of its time: see
// docs/decisions/0003-sqlite-driver.md. It belongs to the writer's goroutine.
type conn struct {
	driver driver.Conn
	stmts  map[string]statement // prepared once, by their text
	args   []driver.NamedValue  // reused by each call
}

// statement is what each statement of the driver is.
type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// connect opens a connection of the kind that writes.
func (f *file) connect(ctx context.Context) (*conn, error) {
	c, err := f.writing.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{driver: c, stmts: make(map[string]statement)}, nil
}

func (c *conn) prepare(query string) (statement, error) {
	if s, found := c.stmts[query]; found {
		return s, nil
	}
	prepared, err := c.driver.Prepare(query)
	if err != nil {
		return nil, err
	}
	s, ok := prepared.(statement)
	if !ok {
		return nil, errors.Join(fmt.Errorf("a statement of type %T takes no context", prepared), prepared.Close())
	}
	c.stmts[query] = s
	return s, nil
}

// bind turns arguments into what the driver takes.
func (c *conn) bind(args []any) ([]driver.NamedValue, error) {
	c.args = c.args[:0]
	for i, arg := range args {
		value := arg
		switch arg.(type) {
		case int64, string, []byte, bool:
		default: // named types and those that may be NULL
			var err error
			if value, err = driver.DefaultParameterConverter.ConvertValue(arg); err != nil {
				return nil, err
			}
		}
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: value})
	}
	return c.args, nil
}

// exec runs a statement and returns how many rows it changed. For one that
// changes no rows by its nature, the number means nothing.
func (c *conn) exec(query string, args ...any) (int64, error) {
	s, err := c.prepare(query)
	if err != nil {
		return 0, err
	}
	values, err := c.bind(args)
	if err != nil {
		return 0, err
	}
	result, err := s.ExecContext(context.Background(), values)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// row reads one row into the destinations. The error is sql.ErrNoRows when
// there is none.
func (c *conn) row(query string, args []any, into ...any) error {
	s, err := c.prepare(query)
	if err != nil {
		return err
	}
	values, err := c.bind(args)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(context.Background(), values)
	if err != nil {
		return err
	}
	columns := make([]driver.Value, len(into))
	err = rows.Next(columns)
	for i := range columns {
		if err == nil {
			err = assign(into[i], columns[i])
		}
	}
	if errors.Is(err, io.EOF) {
		err = sql.ErrNoRows
	}
	return errors.Join(err, rows.Close())
}

// assign stores a column. One of another type than the schema says is damaged.
func assign(into any, column driver.Value) error {
	switch into := into.(type) {
	case *int64:
		if v, ok := column.(int64); ok {
			*into = v
			return nil
		}
	case *int:
		if v, ok := column.(int64); ok {
			*into = int(v)
			return nil
		}
	case *bool:
		if v, ok := column.(int64); ok {
			*into = v != 0
			return nil
		}
	case *string:
		if v, ok := column.(string); ok {
			*into = v
			return nil
		}
	case *[]byte:
		if v, ok := column.([]byte); ok || column == nil {
			*into = v
			return nil
		}
	}
	return fmt.Errorf("%w: a column holds a %T", errDamaged, column)
}

// close closes the statements, since a connection with open ones stays, and
// then the connection. What fails on the way does so for a cause that is known.
func (c *conn) close() {
	for _, s := range c.stmts {
		_ = s.Close()
	}
	_ = c.driver.Close()
}
