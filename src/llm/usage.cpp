// The folder's values have no code yet; this proves that their header stands on its own.
#include "llm/usage.hpp"
