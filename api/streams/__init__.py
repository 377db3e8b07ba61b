"""What is sent to those who follow: the events of a job, or of all the jobs that they may see."""
