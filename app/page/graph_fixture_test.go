package page

import "github.com/vivarium-app/vivarium/supervisor/openmp"

const site = "/Users/alice/backend/.venv/lib/python3.12/site-packages/"

// threeCopies is an environment as people have it: torch's, faiss's and scikit-learn's own, and one that only a link leads to.
func threeCopies() Copies {
	torch := openmp.Runtime{
		Path: site + "torch/lib/libomp.dylib", Real: site + "torch/lib/libomp.dylib", Flavor: openmp.LLVM, Version: "5.0.20140926", Package: "torch", PackageVersion: "2.9.1",
		Users: []openmp.User{{Path: site + "torch/lib/libtorch_cpu.dylib", Package: "torch", Asks: "@rpath/libomp.dylib"}, {Path: site + "torchaudio/lib/libtorchaudio.so", Package: "torchaudio", Asks: "@rpath/libomp.dylib"}},
	}
	faiss := openmp.Runtime{
		Path: site + "faiss/.dylibs/libomp.dylib", Real: site + "faiss/.dylibs/libomp.dylib", Flavor: openmp.LLVM, Version: "5.0.20140926", Package: "faiss-cpu", PackageVersion: "1.12.0",
		Users: []openmp.User{{Path: site + "faiss/_swigfaiss.so", Package: "faiss-cpu", Asks: "@loader_path/.dylibs/libomp.dylib"}},
	}
	sklearn := openmp.Runtime{
		Path: site + "sklearn/.dylibs/libomp.dylib", Real: site + "sklearn/.dylibs/libomp.dylib", Flavor: openmp.LLVM, Package: "scikit-learn", PackageVersion: "1.7.2",
		Users: []openmp.User{{Path: site + "sklearn/utils/_openmp_helpers.so", Package: "scikit-learn", Asks: "@rpath/libomp.dylib"}},
	}
	link := openmp.Runtime{Path: site + "xgboost/lib/libomp.dylib", Real: torch.Real, Link: true, Flavor: openmp.LLVM, Package: "xgboost", PackageVersion: "3.1.1"}
	return Copies{Runtimes: []openmp.Runtime{sklearn, torch, faiss, link}, Loaded: []string{torch.Path, faiss.Path}, Together: []openmp.Runtime{torch, faiss}}
}
