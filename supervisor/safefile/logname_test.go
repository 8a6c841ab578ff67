package safefile

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestALogIsKnownByItsName(t *testing.T) {
	for name, is := range map[string]bool{
		"/b/server.log": true, "/b/LOG": true, "out.txt": true, "nohup.out": true, "x.ndjson": true, "logs.2026": true, "stderr.1": true,
		"main.py": false, "/logs/data.sqlite": false, ".env": false, "model.safetensors": false,
	} {
		require.Equal(t, is, IsLogName(name), name)
	}
}
