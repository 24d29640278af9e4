//go:build unix && !linux

package child

func policies() string { return "" }

func weights() string { return "" }
