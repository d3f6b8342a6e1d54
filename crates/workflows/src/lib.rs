//! Bodies of durable workflows. They name no clock, no randomness, no engine and no I/O, so that they replay; what they need is
//! done by activities, which `change_control` implements.
