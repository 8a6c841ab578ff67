package page

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/openmp"
)

func TestEachPackageIsJoinedToTheCopiesItUses(t *testing.T) {
	g := newGraph(threeCopies(), plainWords)
	require.Equal(t, "torch, torchaudio, xgboost uses torch/lib/libomp.dylib (LLVM 5.0.20140926), loaded, in conflict; "+
		"faiss-cpu uses faiss/.dylibs/libomp.dylib (LLVM 5.0.20140926), loaded, in conflict; scikit-learn uses sklearn/.dylibs/libomp.dylib (LLVM).", g.Says)
	require.Len(t, g.Edges, 5)
	require.Len(t, g.Packages, 5)
	require.Equal(t, "2.9.1", g.Packages[0].Version)
	require.Equal(t, []string{"~/backend/.venv/lib/python3.12/site-packages/torch/lib/libomp.dylib", "~/backend/.venv/lib/python3.12/site-packages/xgboost/lib/libomp.dylib"},
		g.Copies[0].Paths, "a link and what it leads to are one copy")
	require.Nil(t, newGraph(Copies{}, plainWords))
}

func TestNothingInTheGraphStandsOutsideOrOnTopOfAnother(t *testing.T) {
	c := threeCopies()
	for i := range 60 {
		path := fmt.Sprintf("%sp%d/libomp.dylib", site, i)
		c.Runtimes = append(c.Runtimes, openmp.Runtime{Path: path, Real: path, Package: fmt.Sprint("p", i)})
	}
	g := newGraph(c, plainWords)
	require.Equal(t, 63-mostNodes+2, g.Omitted, "copies, and two packages of those that are shown")
	require.Len(t, g.Packages, mostNodes)
	require.True(t, g.Copies[0].Clash && g.Copies[1].Clash, "those that matter are not among the omitted")
	for _, nodes := range [][]node{g.Packages, g.Copies} {
		for i, n := range nodes {
			require.True(t, n.Y >= 0 && n.Y+nodeHeight <= g.Height, n.Name)
			if i > 0 {
				require.GreaterOrEqual(t, n.Y, nodes[i-1].Y+nodeHeight)
			}
		}
	}
}

func TestOnlyTwoLoadedRuntimesOfLLVMOrIntelClash(t *testing.T) {
	llvm, intel, gnu := openmp.Runtime{Path: "/a", Real: "/a", Flavor: openmp.LLVM}, openmp.Runtime{Path: "/b", Real: "/b", Flavor: openmp.Intel}, openmp.Runtime{Path: "/c", Real: "/c", Flavor: openmp.GNU}
	link := openmp.Runtime{Path: "/d", Real: "/a", Link: true, Flavor: openmp.LLVM}
	all := []openmp.Runtime{llvm, intel, gnu, link}
	for loaded, want := range map[string]int{"": 0, "/a": 0, "/a /b": 2, "/a /c": 0, "/a /d": 0, "/d /b": 2, "/a /b /c": 2} {
		require.Len(t, clashing(all, strings.Fields(loaded)), want, loaded)
	}
}

func TestAPackageWithALongNameStaysInItsBox(t *testing.T) {
	g := newGraph(Copies{Runtimes: []openmp.Runtime{{Path: "/x/libomp.so", Real: "/x/libomp.so", Package: "a-package-with-quite-a-long-name", PackageVersion: strings.Repeat("1.", 40)}}}, plainWords)
	require.Equal(t, "a-package-with-quite-…", g.Packages[0].Name)
	require.Len(t, []rune(g.Packages[0].Version), 26)
	require.Contains(t, g.Says, "a-package-with-quite-a-long-name")
}

func TestOfALongPathTheEndIsShown(t *testing.T) {
	long := "/opt/" + strings.Repeat("x", 80) + "/libomp.dylib"
	g := newGraph(Copies{Runtimes: []openmp.Runtime{{Path: long, Real: long, Static: true, Flavor: openmp.LLVM}}}, plainWords)
	require.True(t, strings.HasPrefix(g.Copies[0].Detail, "…") && strings.HasSuffix(g.Copies[0].Detail, "/libomp.dylib"))
	require.Equal(t, "LLVM, built in", g.Copies[0].Version)
	require.Contains(t, g.Says, "no package uses")
}
