package postmortem

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/openmp"
)

func TestVersionsOfPackagesAreReadFromTheNamesOfTheirFolders(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	for _, dir := range []string{
		first + "/torch-2.13.0.dist-info", first + "/faiss_cpu-1.14.3.dist-info", first + "/numpy-2.4.0+local.1.dist-info", first + "/torch", first + "/pip-25.0.dist-info",
		first + "/scipy.dist-info", second + "/torch-1.0.dist-info", second + "/uvicorn-0.40.0.dist-info",
	} {
		require.NoError(t, os.MkdirAll(filepath.FromSlash(dir), 0o755))
	}
	require.Equal(t, map[string]string{"torch": "2.13.0", "faiss-cpu": "1.14.3", "numpy": "2.4.0+local.1", "uvicorn": "0.40.0"},
		packageVersions([]string{first, filepath.Join(first, "gone"), second}), "what Python finds first counts")
}

func TestThePackagesThatMatterAreWrittenAsTheyAreCompared(t *testing.T) {
	for _, name := range mattering {
		require.Equal(t, openmp.Normal(name), name)
	}
	require.True(t, slices.IsSorted(mattering))
}

func TestTheSystemHasANameAndAVersion(t *testing.T) {
	require.Equal(t, "macOS", systemName("darwin"))
	require.Equal(t, "Linux", systemName("linux"))
	require.NotEmpty(t, systemVersion())
}
