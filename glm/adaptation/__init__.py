"""How a pretrained model is asked a task's questions."""
