// GNUstep asks for it where blocks are; the functions are those of libBlocksRuntime.
#include <Block.h>
