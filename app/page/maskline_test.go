package page

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestASecretIsTakenOutWhereverItIsInALongLine(t *testing.T) {
	for _, secret := range []string{
		"password=hunter2hunter2", `"api_key": "hunter2hunter2"`, "Authorization: Bearer hunter2hunter2", "--token hunter2hunter2", "password = hunter2hunter2",
		"https://me:hunter2hunter2@host/", "hf_hunter2hunter2hunter2hunter2",
	} {
		for at := range 700 {
			line := strings.Repeat("some words ", 100)[:at] + " " + secret + " " + strings.Repeat("and more ", 100)
			got := MaskLine(line)
			require.NotContains(t, got, "hunter2hunter2", "%d: %s", at, secret)
			require.Contains(t, got, "and more and more")
		}
	}
}

func TestALineWithoutSecretsStaysAsItIs(t *testing.T) {
	for _, line := range []string{
		"", "short\twith a tab", strings.Repeat("x", 5000), strings.Repeat("ä", 2000), strings.Repeat("a b ", 2000) + "\ttab", strings.Repeat("日本 ", 700), "  indented  ",
	} {
		require.Equal(t, line, MaskLine(line))
	}
}
