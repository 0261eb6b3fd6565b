package web

type playground struct{}

func newPlayground(*Handler) (*playground, error) { return &playground{}, nil }

func (p *playground) routes() []route { return nil }
