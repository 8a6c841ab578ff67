package order

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/config"
)

func backend(name, dir string, after ...string) config.Config {
	return config.Config{Name: name, Dir: dir, File: dir + "/vivarium.toml", After: after}
}

func TestWhoIsBeforeABackend(t *testing.T) {
	db, models, twin := backend("db", "/p/db"), backend("models", "/p/llm", "db"), backend("db", "/q/db")
	for _, c := range []struct {
		name  string
		who   config.Config
		all   []config.Config
		dirs  []string
		wrong string
	}{
		{"nobody", backend("shop", "/p/shop"), []config.Config{db}, nil, ""},
		{"by name", backend("shop", "/p/shop", "db", "models"), []config.Config{db, models}, []string{"/p/db", "/p/llm"}, ""},
		{"by the folder's name", backend("shop", "/p/shop", "llm"), []config.Config{db, models}, []string{"/p/llm"}, ""},
		{"a name goes before a folder's", backend("shop", "/p/shop", "llm"), []config.Config{models, backend("llm", "/p/x")}, []string{"/p/x"}, ""},
		{"its own folder's name is another's name", backend("shop", "/p/db", "db"), []config.Config{backend("shop", "/p/db", "db"), twin}, []string{"/q/db"}, ""},
		{"nobody of that name", backend("shop", "/p/shop", "dp"), []config.Config{db, models}, nil, `there is no backend "dp"; there is db, models`},
		{"nobody at all", backend("shop", "/p/shop", "db"), nil, nil, `there is no backend "db", nor any other`},
		{"only itself", backend("shop", "/p/shop", "db"), []config.Config{backend("shop", "/p/shop", "db")}, nil, "nor any other"},
		{"several of that name", backend("shop", "/p/shop", "db"), []config.Config{db, twin}, nil, `"db" is the name of several backends: /p/db, /q/db`},
		{"a circle of two", backend("shop", "/p/shop", "a"), []config.Config{backend("a", "/p/a", "shop"), backend("shop", "/p/shop", "a")}, nil, "it would wait for itself: shop → a → shop"},
		{"a circle of three", backend("c", "/c", "a"), []config.Config{backend("a", "/a", "b"), backend("b", "/b", "c"), backend("c", "/c", "a")}, nil, "c → a → b → c"},
		{"a circle of others is theirs to tell", backend("shop", "/p/shop", "a"), []config.Config{backend("a", "/a", "b"), backend("b", "/b", "a")}, []string{"/a"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, err := Before(c.who, c.all)
			if c.wrong != "" {
				var mistake *config.Error
				require.ErrorAs(t, err, &mistake)
				require.Equal(t, c.who.File, mistake.File)
				require.Equal(t, "after", mistake.Key)
				require.Contains(t, mistake.Problem, c.wrong)
				require.NotEmpty(t, mistake.Remedy)
				return
			}
			require.NoError(t, err)
			var dirs []string
			for _, b := range before {
				dirs = append(dirs, b.Dir)
			}
			require.Equal(t, c.dirs, dirs)
		})
	}
}

func TestWhoHasToEndBeforeABackend(t *testing.T) {
	node := func(name string, after ...string) Node { return Node{name, "/p/" + name + "-folder", after} }
	for _, c := range []struct {
		name  string
		nodes []Node
		of    int
		want  []int
	}{
		{"nobody waits for it", []Node{node("db"), node("shop")}, 0, nil},
		{"one waits for it", []Node{node("db"), node("shop", "db")}, 0, []int{1}},
		{"the one that waits is free to end", []Node{node("db"), node("shop", "db")}, 1, nil},
		{"two wait for it", []Node{node("shop", "db"), node("db"), node("web", "x", "db")}, 1, []int{0, 2}},
		{"only those right behind it: they wait for the others", []Node{node("db"), node("shop", "db"), node("web", "shop")}, 0, []int{1}},
		{"by the folder's name", []Node{node("db"), node("shop", "db-folder")}, 0, []int{1}},
		{"a circle has no order", []Node{node("a", "b"), node("b", "a")}, 0, nil},
		{"a circle of three has none either", []Node{node("a", "c"), node("b", "a"), node("c", "b")}, 0, nil},
		{"nor has itself", []Node{node("a", "a")}, 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, Behind(c.of, c.nodes)) })
	}
}
