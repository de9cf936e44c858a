"""How specialists work together: who does what, what they tell each other, and what they come to."""
