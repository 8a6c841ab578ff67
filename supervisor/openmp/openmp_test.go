package openmp

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNamesAreOneHoweverTheyAreWritten(t *testing.T) {
	for _, name := range []string{"Faiss_CPU", "faiss-cpu", "faiss.cpu", "FAISS--_cpu"} {
		require.Equal(t, "faiss-cpu", Normal(name))
	}
	env := Environment{Packages: []Package{{Name: "torch"}, {Name: "faiss_cpu", Version: "1.9.0"}}}
	p, ok := env.Package("Faiss.CPU")
	require.True(t, ok)
	require.Equal(t, "1.9.0", p.Version)
	_, ok = env.Package("numpy")
	require.False(t, ok)
}

func TestLinksToOneFileAreOneImage(t *testing.T) {
	torch := Runtime{Path: "/e/torch/lib/libomp.dylib", Real: "/e/torch/lib/libomp.dylib", File: "1:7"}
	link := Runtime{Path: "/e/faiss/.dylibs/libomp.dylib", Real: torch.Real, Link: true, File: "1:7"}
	hard := Runtime{Path: "/e/sklearn/.dylibs/libomp.dylib", Real: "/e/sklearn/.dylibs/libomp.dylib", File: "1:7"}
	other := Runtime{Path: "/e/x/libomp.dylib", Real: "/e/x/libomp.dylib", File: "1:8"}
	unknown := Runtime{Path: "/e/y/libomp.dylib", Real: "/e/y/libomp.dylib"}
	require.True(t, torch.Same(link))
	require.True(t, torch.Same(hard))
	require.False(t, torch.Same(other))
	require.False(t, unknown.Same(Runtime{Real: "/e/z"}), "an unknown file is no other's link")
}
