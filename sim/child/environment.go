package child

import "strings"

// environment is what a child gets of ours. Two libraries do much when a program that has them begins, whether it
// uses them or not, and all parts of this program have them: godog executes `go env`, which it finds by PATH, and
// testcontainers reads every process of the machine in /proc (by gopsutil, which takes HOST_PROC instead). A child
// uses neither, and starts no program by name. Without both it begins in less than half of the CPU time.
func environment(ours []string) []string {
	var list []string
	for _, v := range ours {
		if !strings.HasPrefix(v, "PATH=") && !strings.HasPrefix(v, "HOST_PROC=") {
			list = append(list, v)
		}
	}
	return append(list, "HOST_PROC=/nonexistent")
}
