package postmortem

import (
	"os"
	"slices"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/openmp"
)

// mattering are the packages whose version matters to a death, in the one spelling of their names: those that bring native code and
// threads, and the servers.
var mattering = []string{
	"ctranslate2", "faiss-cpu", "fastapi", "flask", "gunicorn", "hypercorn", "intel-openmp", "lightgbm", "llama-cpp-python", "mkl", "mlx",
	"numba", "numpy", "onnxruntime", "opencv-python", "opencv-python-headless", "scikit-learn", "scipy", "sentence-transformers",
	"starlette", "tensorflow", "tokenizers", "torch", "transformers", "uvicorn", "xgboost",
}

// packageVersions reads the versions of the packages that matter from the names of the folders that pip makes for them: one look at
// each site-packages folder, and no file is opened.
func packageVersions(sites []string) map[string]string {
	versions := map[string]string{}
	for _, site := range sites {
		entries, _ := os.ReadDir(site) // what cannot be read has nothing to say
		for _, e := range entries {
			stem, ok := strings.CutSuffix(e.Name(), ".dist-info")
			name, version, found := strings.Cut(stem, "-")
			name = openmp.Normal(name)
			if _, first := versions[name]; !ok || !found || first || !slices.Contains(mattering, name) {
				continue
			}
			versions[name] = version
		}
	}
	return versions
}

// systemName is the name under which a record has the system's version.
func systemName(goos string) string {
	if goos == "darwin" {
		return "macOS"
	}
	return "Linux"
}
