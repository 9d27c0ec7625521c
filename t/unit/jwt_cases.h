/*
 * Tokens and public keys made with Node.js' crypto: claims
 * {"exp":2000000000,"iat":1900000000,"sub":"u1"}.
 */

#define JWT_SECRET                                                            \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"


static const char  jwt_hs256[] =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjIwMDAwMDAwMDAsImlhd"
    "CI6MTkwMDAwMDAwMCwic3ViIjoidTEifQ.K3MpsQIG5JX96Dk5D1zU-WUpqpK4jVC4"
    "Qo39mLnQIIk";

static const char  jwt_hs384[] =
    "eyJhbGciOiJIUzM4NCIsInR5cCI6IkpXVCJ9.eyJleHAiOjIwMDAwMDAwMDAsImlhd"
    "CI6MTkwMDAwMDAwMCwic3ViIjoidTEifQ.Y05Ctqm7Ea37Sw--a2ys7CRnXTjlAM4B"
    "qQ0NINcxVF9P8Xun1Byx7FoB3XZULR78";

static const char  jwt_hs512[] =
    "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.eyJleHAiOjIwMDAwMDAwMDAsImlhd"
    "CI6MTkwMDAwMDAwMCwic3ViIjoidTEifQ.l56-P0YLK33RTmFRCBr0Hl4tubbeTVhZ"
    "j0t0_TKNuSRTXlEAHczEHlu4OIrCCQyuvSUxU1dShOc-eFT_wKn8tw";

static const char  jwt_rsa_key[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAm77yISw1wChzBCLSBcql\n"
    "EuCGqgZJRvHwbwh1HA4ggLn9FUwVjrn+XvLMGs0x0FNQyH4rHG64JB9t3MWBF5bk\n"
    "niGvFYnAvBSucnOgnJvvDPba2FUX7A3bqceRXH3bYKJPBnl1/4lPc1Uw6PUO1JhK\n"
    "bB8zyKbjCemFIS0NIs9gpY6VDjeJPCtXuNvalJI+iWFYt5LY9hzg6XPX3ny58Vqf\n"
    "Kuc3SuIJi4Mh2NznJ9P616xXdfUOaRFPNvKh8dY9BWdtC2N5q5jnibzaVaE/U4pN\n"
    "Yl1N1jralXaHz9HH/9f3h5JhgFI0elfHZhwhmnU9dBb92rr9CtVTHoWBDFtcUu2r\n"
    "sQIDAQAB\n"
    "-----END PUBLIC KEY-----\n";

static const char  jwt_rsa_small_key[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCi9W6P6x5U3L0Pi119cvD+I5Ur\n"
    "5NCLqQ4ymaaD5KlfJLmxwllTEtBK4Nu8Ve9gzBHjjeaLBkSGPyBsyCr0Lw/EOV3H\n"
    "CMYZ4FRdugACKldcUQouluvbvISx00ORvu4MtXy+/+6MGVX60VivUDktyFpwuUa2\n"
    "qNB7WX+8yNCUr/Z8iwIDAQAB\n"
    "-----END PUBLIC KEY-----\n";

static const char  jwt_rs256[] =
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjIwMDAwMDAwMDAsImlhd"
    "CI6MTkwMDAwMDAwMCwic3ViIjoidTEifQ.F9HXBhn1einuiE0EwH1E4gsNBMMTU8cV"
    "bITvZnQtFvap2ZX4ArqYXUDXsCkMAO5xEp2XBVyCs-xKhbb8rgJY5Fg2V8DfQeGBHV"
    "jgN_x0XEvgvl_eMz6LEqMFM4D8LNe1cVEVFs_-hHwBWsDRbjun--eJ1nkY8CJbF92a"
    "o5q1Qjm_3TXwuYco_HHvITpqdRL0Uev7tEL__8aOF_U0TB5e-5HCsS4K7x6PJVvcWp"
    "MEjIRuy0jeE3R_m9u5KI844ElYsH4my3DMu-eSn8jlHANawru50_OM9-9R1ZPPNtw3"
    "gfYeNMJm7fVQp3t5x4YYOv26zX3xb3mXapDXS4pMAzBlEQ";

static const char  jwt_rs512[] =
    "eyJhbGciOiJSUzUxMiIsInR5cCI6IkpXVCJ9.eyJleHAiOjIwMDAwMDAwMDAsImlhd"
    "CI6MTkwMDAwMDAwMCwic3ViIjoidTEifQ.Ajg93VFhLcM1oHQByOHwCHcOMNh40Yzh"
    "A8dFr5vpSmvzw945-00fTDWyOYKLaFZB3Mt6cp3txNeRuMtIeioR7hC9HldTjj8hvw"
    "8y9a-W8S98jZSfplQcK4K8IpIep1Oh0JWxS07qjoDv549JhJ7NH4NII0MAxK9-2FMe"
    "0ICiZy3O8dstYtbxL51_GGiuFeSc3SnY1wh5PKPbdiKpLXT_5NSmkmwAi5mBDEsoHW"
    "CGPxb_XGohNDbSAAmOvn5_QUFewljTgDFIrW2qWY9NFwYnWo5M_rMm22_JMN_MRq41"
    "lG3Q3OGGirvqnN1Zn9e8seORmba9KEWooYCp3bN_PRFOFw";

static const char  jwt_confused[] =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjIwMDAwMDAwMDAsImlhd"
    "CI6MTkwMDAwMDAwMCwic3ViIjoidTEifQ.rZVlE2JyT620h6njcQyAEJ86di1iRnPL"
    "oWNugLj7tSY";

static const char  jwt_es256_key[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEP4MrRa8VUQ1M6yGadZ8pImdkUCl8\n"
    "UHa35PaZNfmKRds8LvR851Y2iqNRML07du//hUkuLc4TmRW7CYZ1SbiVFw==\n"
    "-----END PUBLIC KEY-----\n";

static const char  jwt_es256[] =
    "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjIwMDAwMDAwMDAsImlhd"
    "CI6MTkwMDAwMDAwMCwic3ViIjoidTEifQ.5541VsW0fVioTDVO36eb0gynyyljAqtD"
    "8GxIzQixoTmTW77UW-wV7wDSLC_aeE6bJRRyNwLtI2RuoZMFvFW5QQ";

static const char  jwt_es384_key[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEPKkMipXOMF5nn69SogsmdVzpL7uptdp7\n"
    "kJXCf6GaljNB25XG3hm1OdUC7nDsP5IKhSHBmR+dn2l95IqButiyYn71xaivDoa0\n"
    "1DFSohK67iIhSiwTIz+wiWK7Xr2p1/1+\n"
    "-----END PUBLIC KEY-----\n";

static const char  jwt_es384[] =
    "eyJhbGciOiJFUzM4NCIsInR5cCI6IkpXVCJ9.eyJleHAiOjIwMDAwMDAwMDAsImlhd"
    "CI6MTkwMDAwMDAwMCwic3ViIjoidTEifQ.cMvGo5zk7g-pkmRkg9P4PLuzivML0Z99"
    "NM4biXeH10t7eDfmrvk7P3iIKITy90U38q1w1qwZ5A3foSifHJVeWoHD4iV0wOmxCP"
    "BEVqJTjhxLM29TOtLjmjeh2gNf7vfY";

static const char  jwt_es512_key[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQAgTa7OjP5pOtfud/fkY6T2EVzonCJ\n"
    "j0iNrj11d/a6gtUlZWm0rIaAC87zVJ1+3FKJ8ubmsZzmIG/ncNxg+3sLi5MA0Vgk\n"
    "WdNo6akQ2K6rkaMrvGhZQhKktT7UCQehwoS4333rA7T+NapayJAXXwlJhQWV7qWJ\n"
    "6jenUwVVLfqI/I1zOhc=\n"
    "-----END PUBLIC KEY-----\n";

static const char  jwt_es512[] =
    "eyJhbGciOiJFUzUxMiIsInR5cCI6IkpXVCJ9.eyJleHAiOjIwMDAwMDAwMDAsImlhd"
    "CI6MTkwMDAwMDAwMCwic3ViIjoidTEifQ.AcbCLlLxM7RgvpR0mOgoZsRK15NfwR0j"
    "aMSDoKtYvUUyF9J8Wb21LHF1qqj_3R54L40xYV4Pq9L3Yd3QKWhfrw9PAVW_Df5wn5"
    "vHUE9FjXNe23aw9hs8UM3p3_jfDYtJBbgtMBWWlyShEPXFzzio0ORaI76vOsY6Jjbk"
    "tuaVSmY_n_sB";

static const char  jwt_ed_key[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEASOiqgtG+rrc35Ws1zMrLP4YmplFKgvwv5SWat+N2Klg=\n"
    "-----END PUBLIC KEY-----\n";

static const char  jwt_eddsa[] =
    "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJleHAiOjIwMDAwMDAwMDAsImlhd"
    "CI6MTkwMDAwMDAwMCwic3ViIjoidTEifQ.XAbrh6gQrnomoTNIj196glK6_5myzc79"
    "a1-yvMMYi0DYmZ_9gco56rwbPC4COOdt3dj4m5MAabfWBMs8PQpwDA";

static const char  jwt_none[] =
    "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJleHAiOjIwMDAwMDAwMDAsImlhdC"
    "I6MTkwMDAwMDAwMCwic3ViIjoidTEifQ.";


/* typ: at+jwt, RFC 9068; the same claims */

static const char  jwt_at_rs256_key[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtXk/T9YtG023Hcb2M50x\n"
    "lcnaSI4NOi19JOQYglxVZkAm5eRb563J6K2Yx//2ok2iOdlvTF7cIGBC+Mj8AXay\n"
    "qYC5WUV8OoeCy/j6EFmEK8ANtewzxamK9M0i7aSzBZrg9KktcAiLccxZct6mkfnB\n"
    "zTECE/0i4rWV8i3eDILZus8vnQXO7GtNrg4mYi6po92zZzKWXiaHzYXoKyTsAkU+\n"
    "PGCqe8n89Kx4AY4pN7oBpxv2kc9v5By6j/6JDLV8Pjj08X/H2aa66nILD6OdGJwW\n"
    "eNYoIf5iLhNkrB9YjFVqY/Eo6sXxUVHfsnwLQTOHI37M5y2J/JTE6YInOvaGnSFA\n"
    "ewIDAQAB\n"
    "-----END PUBLIC KEY-----\n";

static const char  jwt_at_rs256[] =
    "eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJleHAiOjIwMDAwMDAwMDAsIm"
    "lhdCI6MTkwMDAwMDAwMCwic3ViIjoidTEifQ.TEVjRDZyKLSB1e0DIasLwWx-e4XX_P"
    "bXugHPEjlHlHFc7VRO_oOglX-XVyN8bSZFIay8GCLB4Jp2mDAUQNa4xfCNGPq0xOgXW"
    "DygfZrkclQL4dwLOfRO5WcHlJ58_8mW28bYLI83i8Mm5SVcZ1LonerSCQkBjJzrWZV3"
    "qOZKTLNeLAaDzaUNXRsgGjTRWptHUzkSdUhqzD5M8_PAeRK2L_GDNu9TSfDSxhmOshT"
    "3_TB9OXQOLL5xZUu3ogFbculmb4-1dWFbq0_guuUXUjQqFDqr7BgRo0s9RP8AKmIKYp"
    "vRqgHxmmp8jELDrbIc0UYw5BH-YELrHLdCBYbq_4_-7w";

static const char  jwt_at_es256_key[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEPWadFSDI1Hq5jBYQfRXzrr77r2O9\n"
    "TD6Wui64g7FyGyTQWUjscx8ozTD1m6iKGBUC9eQL7ysrCtp9t4uCo1rBKg==\n"
    "-----END PUBLIC KEY-----\n";

static const char  jwt_at_es256[] =
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJleHAiOjIwMDAwMDAwMDAsIm"
    "lhdCI6MTkwMDAwMDAwMCwic3ViIjoidTEifQ.LQwAlatwtVW9ZDtsiOw2vvm-GBy-X4"
    "z379SJ1ASNINNKPAYgmyVDhP6CxAwTVlNqITfL5k5dq2-5l4wmhQE3tA";

static const char  jwt_at_es384_key[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE++AgKVE9fGS6xIhIugjrAar0t8A9/1Lj\n"
    "OQ7Iem0aEIrz19iIbcOvKPCGoepmSPP2FMq0+h0d8swlEm8pi4cuNi8w4I+5qQXE\n"
    "2FG1sFysg5qli1/AkAWHLuw8cKqw+6xz\n"
    "-----END PUBLIC KEY-----\n";

static const char  jwt_at_es384[] =
    "eyJhbGciOiJFUzM4NCIsInR5cCI6ImF0K2p3dCJ9.eyJleHAiOjIwMDAwMDAwMDAsIm"
    "lhdCI6MTkwMDAwMDAwMCwic3ViIjoidTEifQ.ARVajkUwwTcsLmfK_0Ko6GjGzr9wje"
    "YQ3tTQYH8Fa6m9k0tLMNHn6GrTMzjMQkOlkeE1ylxssG5VbullQJZXnyprob8ey4Hl0"
    "R8Myljpzh7YFBbeOKrvHcYTHEGRyIEq";

static const char  jwt_at_es512_key[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQAtvi0Y7uO5yEgna3Bz4fM7Fbe13ye\n"
    "Lie8mHDtu9a8q9Jm9Xf3jO/FryvrutpOXrhUs461U4GpW56C8NJo+IpJcRoAmSrH\n"
    "oNfRMtbVPwxSGI8L1GKJkXiJdg468ONBnOw1/oVcvYJXrH5lxzH5vBueUuuToazE\n"
    "JJE5O7jpkHLAZdLNPHc=\n"
    "-----END PUBLIC KEY-----\n";

static const char  jwt_at_es512[] =
    "eyJhbGciOiJFUzUxMiIsInR5cCI6ImF0K2p3dCJ9.eyJleHAiOjIwMDAwMDAwMDAsIm"
    "lhdCI6MTkwMDAwMDAwMCwic3ViIjoidTEifQ.AfjBQ8ItOPs1vFabXz8k39XC7jZjo-"
    "WW7dUCuCtmzofUDEeJ-XYdaAt-jqkOKcL6JnRp_7Bku0EOmJ63uPdPYq5rAbLQRDvSL"
    "zQRhS8UEt7RgFvnq0fSKxQXFgdSnWNcChHVwcYbaKtkeNNhQXe6pz0Z0xRzndcQxeBQ"
    "SSYREImSegze";
