//go:build !go1.20

package main

// joined is what errors.Join makes since Go 1.20.
type joined struct{ errs []error }

func (j *joined) Error() string { return j.errs[0].Error() }

func join(errs ...error) error { return &joined{errs} }
