package page

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor"
)

func TestThePageSaysTheVerdictTheRemedyAndTheLineThatDecided(t *testing.T) {
	r := openMPDeath(t)
	page := made(t, r)
	require.Contains(t, page, "<h1>"+r.Verdict.Summary+"</h1>")
	require.Contains(t, page, "reach Python: <code>vivarium env</code> shows")
	require.Contains(t, page, `<li id="deciding" class="deciding" value="21"><mark>OMP: Error #15:`)
	require.NotContains(t, page, "/Users/alice")
}

func TestARecordWithNothingInItGivesAPage(t *testing.T) {
	page := made(t, supervisor.Record{})
	require.Contains(t, page, "Nothing was measured")
	require.Contains(t, page, "It printed nothing.")
}
