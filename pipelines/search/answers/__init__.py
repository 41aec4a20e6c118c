"""What is answered: candidates, what must be told beside them, and what to ask a witness next."""
