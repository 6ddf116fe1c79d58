package config

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"
)

// maxCopied bounds what aliases (*name) copy of a document: a few lines of aliases of aliases come to more than any memory holds.
const maxCopied = 1 << 16

// expansion measures a document as the decoder makes it of its aliases, up to a little more than the bound.
type expansion struct {
	anchors map[string]int64 // values below each anchor
	copied  int64
}

// checkAliases refuses a document whose aliases make more of it than can be meant.
func checkAliases(body ast.Node) error {
	e := expansion{anchors: map[string]int64{}}
	if e.nodes(body); e.copied > maxCopied {
		return fmt.Errorf("its aliases (*name) copy more than %d values", maxCopied)
	}
	return nil
}

// nodes counts a node and those below it.
func (e *expansion) nodes(n ast.Node) int64 {
	sum := int64(1)
	switch n := n.(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			sum += e.nodes(v)
		}
	case *ast.MappingValueNode:
		sum += e.nodes(n.Key) + e.nodes(n.Value)
	case *ast.MappingKeyNode:
		sum += e.nodes(n.Value)
	case *ast.SequenceNode:
		for _, v := range n.Values {
			sum += e.nodes(v)
		}
	case *ast.AnchorNode:
		sum += e.nodes(n.Value)
		e.anchors[n.Name.String()] = sum
	case *ast.AliasNode:
		sum += e.anchors[n.Value.String()]
		e.copied = min(e.copied+sum, maxCopied+1)
	}
	return min(sum, maxCopied+1)
}

// maxDepth bounds how deep a document nests, which takes the parser time and memory by its square.
const maxDepth = 1000

// checkDepth refuses a text that nests deeper, before anything parses it: by brackets that are open, whatever they stand in, and by the dashes
// that a line begins with. By indentation alone a file is not long enough for more.
func checkDepth(b []byte) error {
	brackets, dashes, leading := 0, 0, true
	for _, c := range b {
		switch c {
		case '\n':
			dashes, leading = 0, true
			continue
		case ' ':
			continue
		case '-', '?':
			if leading {
				dashes++
			}
		case '[', '{':
			brackets++
			leading = false
		case ']', '}':
			brackets = max(brackets-1, 0)
			leading = false
		default:
			leading = false
		}
		if brackets+dashes > maxDepth {
			return fmt.Errorf("nests deeper than %d", maxDepth)
		}
	}
	return nil
}
