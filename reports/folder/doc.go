// Package folder writes into folders of users without ever touching what is theirs.
//
// Every folder that Myriad writes to holds a file [Marker], which says what in it is Myriad's. Only that
// is ever removed or replaced; whatever else is found in its place makes the command refuse, with an error
// that names it, before anything is changed. There are three kinds:
//
//   - Result: the folder is Myriad's. The marker lists the files; a folder in it has a marker of its own.
//     It is made, locked and emptied by a [Folder].
//   - Scratch: the folder is Myriad's with all that is in it, whatever that is called.
//   - Files: the folder is the user's, and the marker lists files in it with their SHA-256. A file that was
//     changed since is the user's. [Put] writes them.
//
// The marker is also what is locked (flock): two processes that want one folder cannot both have it, and a
// process that is killed leaves no lock behind.
//
// Folders are made for their owner only (0700), as results may hold secrets. The package starts no goroutine.
package folder
