package main

import (
	"reflect"

	"spanwalk/programs/internal/truth"
)

var values []reflect.Value

func reflected(p *truth.Program) {
	itemType := reflect.TypeOf((*item)(nil))
	p.Add(truth.Root{Name: "main.made", Type: "[]interface {}", Count: 8,
		Make: func() { makeReflected(itemType) }, Drop: func() { made = nil }})
	p.Add(truth.Root{Name: "main.values", Type: "[]reflect.Value", Count: each,
		Make: func() {
			for i := 0; i < each; i++ {
				v := reflect.New(itemType.Elem())
				v.Interface().(*item).id = i
				items++
				values = append(values, v)
			}
		}, Drop: func() { values = nil }})
}

// makeReflected makes types that are in no module: their descriptors and masks
// are on the heap, and large objects refer to them.
func makeReflected(itemType reflect.Type) {
	structure := reflect.StructOf([]reflect.StructField{
		{Name: "First", Type: reflect.TypeOf(0)},
		{Name: "Second", Type: itemType},
		{Name: "Third", Type: reflect.TypeOf([3]int{})},
		{Name: "Fourth", Type: reflect.TypeOf("")},
	})
	hold := func(t reflect.Type, set func(v reflect.Value)) {
		v := reflect.New(t)
		set(v.Elem())
		made = append(made, v.Interface())
	}
	fresh := func(i int) reflect.Value { return reflect.ValueOf(newItem(i)) }
	hold(structure, func(v reflect.Value) { v.Field(1).Set(fresh(1)) })
	// The header of an object over 512 bytes, the span of a large one, and a
	// mask too large to be kept with the type.
	for _, n := range []int{20, 1000, 30000} {
		hold(reflect.ArrayOf(n, structure), func(v reflect.Value) {
			v.Index(n / 2).Field(1).Set(fresh(n))
			v.Index(n - 1).Field(1).Set(fresh(n))
		})
	}
	hold(reflect.SliceOf(structure), func(v reflect.Value) {
		v.Set(reflect.MakeSlice(v.Type(), 100, 128))
		v.Index(99).Field(1).Set(fresh(2))
	})
	hold(reflect.MapOf(reflect.TypeOf(""), structure), func(v reflect.Value) {
		v.Set(reflect.MakeMap(v.Type()))
		for _, key := range []string{"a", "b", "c"} {
			element := reflect.New(structure).Elem()
			element.Field(1).Set(fresh(3))
			v.SetMapIndex(reflect.ValueOf(key), element)
		}
	})
	hold(reflect.ChanOf(reflect.BothDir, structure), func(v reflect.Value) {
		v.Set(reflect.MakeChan(v.Type(), 10))
		element := reflect.New(structure).Elem()
		element.Field(1).Set(fresh(4))
		v.Send(element)
	})
	function := reflect.FuncOf([]reflect.Type{itemType}, []reflect.Type{itemType}, false)
	hold(function, func(v reflect.Value) {
		keep := fresh(5)
		v.Set(reflect.MakeFunc(function, func([]reflect.Value) []reflect.Value {
			return []reflect.Value{keep}
		}))
	})
}
