"""How Quittance is put on machines. Nothing in here knows the business."""
