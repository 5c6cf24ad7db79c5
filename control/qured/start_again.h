// This program, executed again in this process, under the filter of system calls: which sees the address of a path and
// not the path. So the path stands at one address, the same in each process, where nothing else does.
#pragma once

namespace qure {

// The path of this program. Null if there is no room for it at its address: then it cannot start again.
const char* PathOfItself();

// Starts this program again in this process, with the same arguments. Returns only if that fails, with errno set.
void ExecuteItself(char** argv);

}  // namespace qure
