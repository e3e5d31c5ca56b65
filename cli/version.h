/* version.h: the version that `pawl version` prints; the build may say another one. */
#ifndef PAWL_VERSION
#define PAWL_VERSION "0.1.0"
#endif
