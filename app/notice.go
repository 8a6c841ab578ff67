package app

// Notice is what a person is told natively. Title names the cause; Body starts with the remedy.
type Notice struct {
	Title string
	Body  string
	Icon  Icon
	// Backend is the folder of the backend it is about, "" for none: a click on the notice leads there.
	Backend string
}
