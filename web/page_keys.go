package web

import "text/template/parse"

// keysUsed returns the keys that a template names in calls of t and plain. Of a
// key that is put together, as in (print "play.step_" .Number), it returns the
// front with a star: "play.step_*".
func keysUsed(tree *parse.Tree) []string {
	var keys []string
	var walk func(parse.Node)
	list := func(l *parse.ListNode) {
		if l != nil {
			for _, n := range l.Nodes {
				walk(n)
			}
		}
	}
	branch := func(b *parse.BranchNode) {
		walk(b.Pipe)
		list(b.List)
		list(b.ElseList)
	}
	walk = func(n parse.Node) {
		switch n := n.(type) {
		case *parse.ListNode:
			list(n)
		case *parse.ActionNode:
			walk(n.Pipe)
		case *parse.TemplateNode:
			if n.Pipe != nil {
				walk(n.Pipe)
			}
		case *parse.IfNode:
			branch(&n.BranchNode)
		case *parse.RangeNode:
			branch(&n.BranchNode)
		case *parse.WithNode:
			branch(&n.BranchNode)
		case *parse.PipeNode:
			for _, c := range n.Cmds {
				walk(c)
			}
		case *parse.CommandNode:
			if id, ok := n.Args[0].(*parse.IdentifierNode); ok && (id.Ident == "t" || id.Ident == "plain") && len(n.Args) > 1 {
				keys = append(keys, keyOf(n.Args[1])...)
			}
			for _, a := range n.Args {
				walk(a)
			}
		}
	}
	walk(tree.Root)
	return keys
}

// keyOf returns the key, or the front of the key, that the argument of t or of
// plain is.
func keyOf(arg parse.Node) []string {
	switch arg := arg.(type) {
	case *parse.StringNode:
		return []string{arg.Text}
	case *parse.PipeNode:
		if len(arg.Cmds) == 1 && len(arg.Cmds[0].Args) > 1 {
			if front, ok := arg.Cmds[0].Args[1].(*parse.StringNode); ok {
				return []string{front.Text + "*"}
			}
		}
	}
	return nil
}
