// SwiftPM asks a C target for one source file; the shims themselves are header only.
#include "CPlatformShims.h"
