package crash

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAFileIsThePersonsOwnIfItIsInTheirFolderAndOfNoPackage(t *testing.T) {
	for file, want := range map[string]bool{
		"/home/ada/b/main.py": true, "/home/ada/b/app/x.py": true, "main.py": true, "./app/x.py": true,
		"/home/ada/b2/main.py": false, "/home/ada/main.py": false, "/home/ada/b/.venv/lib/python3.12/site-packages/x.py": false, "": false,
		"/usr/lib/python3/dist-packages/x.py": false, "<string>": false, "<frozen runpy>": false, "/home/ada/b/.venv/lib/python3.12/asyncio/x.py": false,
	} {
		require.Equal(t, want, Own("/home/ada/b", file), file)
	}
	require.False(t, Own("", "/x/main.py"), "of which folder?")
}
