"""The storm: from a scenario and a target to tapes and a census. It only records; it judges nothing."""
