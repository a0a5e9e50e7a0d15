//go:build go1.23 && !go1.27

// Timers as a module of Go 1.23 gets them: unbuffered channels, in the
// runtime's timer heap only while a goroutine waits. (1.27 has no other kind.)
//go:debug asynctimerchan=0

package main
