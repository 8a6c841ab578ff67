package hook

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/control"
)

const secret = "password=hunter2hunter2"

// fill puts the secret into every text of a value, and makes what it points to.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(secret)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i))
			}
		}
	}
}

// holding are the fields that still have the secret.
func holding(v reflect.Value, name string) (found []string) {
	switch v.Kind() {
	case reflect.String:
		if v.String() == secret {
			found = append(found, name)
		}
	case reflect.Pointer:
		return holding(v.Elem(), name)
	case reflect.Slice:
		for i := range v.Len() {
			found = append(found, holding(v.Index(i), name)...)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && v.Type() != reflect.TypeFor[time.Time]() {
				found = append(found, holding(v.Field(i), name+"."+f.Name)...)
			}
		}
	}
	return found
}

// names are the fields that hold a name, a path, a kind or a figure, and no text that a server, a library or the system wrote.
var names = []string{
	".Event", ".Backend", ".Dir", ".State", ".Health.Phase", ".Verdict.Kind", ".Verdict.Confidence", ".Signal", ".Log", ".Run", ".URL", ".Memory.Pressure",
	".Stall.Kind", ".Stall.File", ".Stall.Function", ".Missing", ".OpenMP", ".ConfigFile", ".Last.Kind", ".Last.Confidence", ".Report", ".Tally.Day",
	".Tally.Causes.Kind", ".After", ".Awaits.Name",
}

func TestNoTextOfAnEventIsPassedOnWithASecret(t *testing.T) {
	var row control.Row
	fill(reflect.ValueOf(&row).Elem())
	before := row
	masked(&row)
	require.ElementsMatch(t, names, holding(reflect.ValueOf(row), ""), "a new field is masked, or it is a name")
	for _, shared := range []string{before.Verdict.Summary, before.Last.Line, before.Stall.Remedy, before.Owner.Why, before.Awaits.Why, before.Tally.Causes[0].Summary} {
		require.Equal(t, secret, shared, "what others look at as well is left as it is")
	}
	masked(&control.Row{}) // and there need not be any of it
}
