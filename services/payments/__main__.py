from services.payments.app import SERVICE
from shared.serve import serve

if __name__ == "__main__":
    serve(SERVICE)
