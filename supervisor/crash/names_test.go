package crash

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// declaredKinds are the kinds of verdict.go, as its source has them.
func declaredKinds(t *testing.T) []Kind {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "verdict.go", nil, 0)
	require.NoError(t, err)
	var kinds []Kind
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); ok && name.Name == "Kind" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			kinds = append(kinds, Kind(text))
		}
		return true
	})
	require.Greater(t, len(kinds), 30)
	return kinds
}

func TestEveryKindHasAMeaningOfItsOwn(t *testing.T) {
	var listed []Kind
	names := map[string]bool{}
	for _, m := range Kinds() {
		listed = append(listed, m.Kind)
		require.Equal(t, m.Name, m.Kind.Name())
		require.LessOrEqual(t, len(m.Name), 45, "%q has to fit into a menu", m.Name)
		require.False(t, names[m.Name], "two kinds have the name %q", m.Name)
		require.True(t, strings.HasSuffix(m.Tells, "."), "%s: %q is no sentence", m.Kind, m.Tells)
		require.NotEmpty(t, m.Remedy, m.Kind)
		names[m.Name] = true
	}
	require.ElementsMatch(t, declaredKinds(t), listed)
}

func TestAKindOfANewerVivariumStillHasAName(t *testing.T) {
	require.Equal(t, "eaten by mice", Kind("eaten-by-mice").Name())
}

func TestTheListOfKindsIsTheCallersOwn(t *testing.T) {
	Kinds()[0].Name = "spoilt"
	require.NotEqual(t, "spoilt", Kinds()[0].Name)
}
