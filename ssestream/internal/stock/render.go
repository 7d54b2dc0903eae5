package stock

import (
	"net/http"
	"reflect"

	"github.com/go-chi/render"
)

// rendered prepares a response that is a render.Renderer as the stock router does: Render is called for it and then for
// its fields that are Renderers. An error takes the place of the response.
func rendered(w http.ResponseWriter, r *http.Request, response any) any {
	renderer, ok := response.(render.Renderer)
	if !ok {
		return response
	}
	if err := renderTree(w, r, renderer); err != nil {
		return err
	}

	return response
}

func renderTree(w http.ResponseWriter, r *http.Request, renderer render.Renderer) error {
	if err := renderer.Render(w, r); err != nil {
		return err
	}
	value := reflect.Indirect(reflect.ValueOf(renderer))
	if value.Kind() != reflect.Struct {
		return nil
	}
	for _, field := range value.Fields() {
		if !field.CanInterface() || isNil(field) {
			continue
		}
		child, ok := reflect.TypeAssert[render.Renderer](field)
		if !ok {
			continue
		}
		if err := renderTree(w, r, child); err != nil {
			return err
		}
	}

	return nil
}

func isNil(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Chan, reflect.Func, reflect.Interface, reflect.Map, reflect.Pointer, reflect.Slice:
		return v.IsNil()
	default:
		return false
	}
}
