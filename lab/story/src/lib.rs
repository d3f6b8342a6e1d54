//! interlock-story
