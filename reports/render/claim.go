package render

import "fmt"

// Claim makes dir, if it is missing, and says whether Write may use it: it must be empty or hold an
// earlier result. A run asks before it starts rather than fail after it.
func Claim(dir string) error {
	if err := claim(dir); err != nil {
		return fmt.Errorf("result folder: %w", err)
	}
	return nil
}
