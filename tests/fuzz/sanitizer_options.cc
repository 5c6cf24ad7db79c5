// Undefined behaviour ends the run, in a fuzzer as in a replay. Read by the sanitizer's runtime, if there is one.
extern "C" const char* __ubsan_default_options();
extern "C" const char* __ubsan_default_options() {
  return "halt_on_error=1:print_stacktrace=1";
}
