//go:build !go1.21

package main

import "context"

func plantAfterFuncs(context.Context) afterFuncs { return afterFuncs{} }
