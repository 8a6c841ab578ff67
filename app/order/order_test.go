package order

import (
	"fmt"
	"testing"
	"time"

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

// TestManyWaysToTheSameBackendCostNothing: 40 backends, each after the 16 before it, have more ways than could ever be walked one by one.
func TestManyWaysToTheSameBackendCostNothing(t *testing.T) {
	var all []config.Config
	var nodes []Node
	var names []string
	for i := range 40 {
		name := fmt.Sprint("b", i)
		after := append([]string(nil), names[max(0, len(names)-16):]...)
		all = append(all, backend(name, "/p/"+name, after...))
		nodes = append(nodes, Node{name, "/p/" + name, after})
		names = append(names, name)
	}
	type outcome struct {
		before []config.Config
		err    error
		behind []int
	}
	done := make(chan outcome, 1)
	go func() {
		before, err := Before(all[39], all)
		done <- outcome{before, err, Behind(0, nodes)}
	}()
	select {
	case o := <-done:
		require.NoError(t, o.err)
		require.Len(t, o.before, 16)
		require.Equal(t, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, o.behind)
	case <-time.After(30 * time.Second):
		require.FailNow(t, "every way is walked")
	}
	all[0].After = []string{"b39"} // and one that leads back is found all the same
	_, err := Before(all[39], all)
	require.ErrorContains(t, err, "it would wait for itself: b39 → ")
}

func TestACircleAmongManyBackendsIsNoOrder(t *testing.T) {
	var nodes []Node
	for i := range 30 {
		n := Node{Name: fmt.Sprint("b", i), Dir: fmt.Sprint("/p/b", i)}
		for j := range 30 {
			n.After = append(n.After, fmt.Sprint("b", j))
		}
		nodes = append(nodes, n)
	}
	for i := range nodes {
		require.Empty(t, Behind(i, nodes))
	}
}
