package project

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAPlainProgramIsAServerOnlyWhereServersAre(t *testing.T) {
	for file, errand := range map[string]bool{
		"chat.py": false, "server.py": false, "bot/main.py": false, "bot/__main__.py": false, "services/api/run.py": false,
		"modules/loaders.py": true, "bot/download.py": true, "scripts/main.py": true, "tools/run.py": true, "download_model.py": true,
	} {
		require.Equal(t, errand, isErrand(file), file)
	}
}
