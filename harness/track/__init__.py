"""What a grid's runs measure, told to the trackers that people already use."""
